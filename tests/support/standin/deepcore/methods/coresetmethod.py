class CoresetMethod:
    def __init__(self, dst_train, args, fraction=0.5, random_seed=None, **kwargs):
        if not 0 < fraction <= 1:
            raise ValueError("Illegal Coreset Size.")
        self.dst_train, self.args = dst_train, args
        self.num_classes = len(dst_train.classes)
        self.fraction, self.random_seed = fraction, random_seed
        self.n_train = len(dst_train)
        self.coreset_size = round(self.n_train * fraction)

    def select(self, **kwargs):
        return
