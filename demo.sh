#!/bin/sh
# The main job in small, on drawn images and the CPU: a generator learns facades, then is fine-tuned to lungs; both are
# tested. $PYTHON is the interpreter to use (make demo sets it).
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
common="--dataset_mode phantom --gpu_ids -1 --display_id 0 --netG unet_128 --ngf 16 --ndf 16 --load_size 144 --crop_size 128"

echo "1/4  a pix2pix generator learns photo -> labels on drawn facades"
eval "$python" train.py --name demo_facades $common --phantom facades --phantom_count 240 \
    --n_epochs 8 --n_epochs_decay 8 --lambda_L1 1000 --batch_size 4 --lr 0.001
echo "2/4  the same generator is fine-tuned to lungs"
eval "$python" train.py --name demo_lungs $common --phantom chests --phantom_count 240 --pretrained demo_facades \
    --n_epochs 8 --n_epochs_decay 8 --lambda_L1 1000 --batch_size 4 --lr 0.001 --augment strong
echo "3/4  test it on facades"
eval "$python" test.py --name demo_facades --gpu_ids -1
echo "4/4  test it on lungs"
eval "$python" test.py --name demo_lungs --gpu_ids -1
