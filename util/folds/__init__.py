"""Cross-validation under one name: a run for each fold of splits.csv, and each image scored by the run that has not
seen it.

    python -m data.prepare masks DATA --folds 5
    python train.py @lungs --dataroot DATA --name NAME --fold all
    python test.py --name NAME --phase out_of_fold      (train.py does this at its end; here with other flags)

checkpoints/NAME/
    options.json                the flags of all folds, with "fold": "all"
    folds.json                  util.folds.record: which folds there are, and which are trained
    fold_0/, fold_1/, ...       a run for each fold, like any other (--name NAME/fold_0)
results/NAME/out_of_fold/       written whole or not at all, like every folder of results
    metrics.csv                 a line an image, sorted by its column id, as test.py writes it (dice, tp, fp, ...); the
                                last column is its fold
    metrics.json                settings, data (dataroot, source, ...), means, intervals by bootstrap over patients
    index.html                  the page
    masks/<id>.png              the mask at the image's original size: 0 and 255, or the classes' colours
    probabilities/<id>.png      grey, 8 bits, the same size: probability of foreground, 255 for 1 (two classes only)
    images/, overlays/, differences/, thumbs/           as test.py writes them

An id is a key of `data.masks.find_rows(dataroot, patient_regex, split_seed)`, whose row has the files of the image and
of its ground truth. Images without a fold, such as a test set that stays aside, are not in these results.
"""
