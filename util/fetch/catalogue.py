"""Published data sets and generators by name: where they are, how large they are, and on what terms.

Names and addresses of the pix2pix and CycleGAN authors' files are those in the download scripts of
pytorch-CycleGAN-and-pix2pix. Where both authors use the same name, CycleGAN's gets the prefix `cyclegan_`. Sizes and
checksums are those that somebody has published: TensorFlow Datasets (url_checksums/cycle_gan.txt) for CycleGAN's sets,
Zenodo for SCR's masks, logs of downloads for facades, maps and sat2map. The others are unknown.
"""

import re
from dataclasses import dataclass

BERKELEY = "http://efrosgans.eecs.berkeley.edu"
ISOLA = (
    "P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros: Image-to-Image Translation with Conditional Adversarial Networks. "
    "CVPR 2017"
)
ZHU = (
    "J.-Y. Zhu, T. Park, P. Isola, A. A. Efros: Unpaired Image-to-Image Translation using Cycle-Consistent "
    "Adversarial Networks. ICCV 2017"
)
TYLECEK = "R. Tylecek, R. Sara: Spatial Pattern Templates for Recognition of Objects with Regular Structure. GCPR 2013"
JAEGER = (
    "S. Jaeger et al.: Two public chest X-ray datasets for computer-aided screening of pulmonary diseases. "
    "Quant Imaging Med Surg 4(6), 2014"
)
WEIGHTS = "no licence stated for the weights; the authors' code is BSD"
UNSTATED = "no licence stated by the distributors"


@dataclass(frozen=True)
class File:
    """One file to download.

    name: its name on disk. size: in bytes. checksum: `sha256:...` or `md5:...`. None means unknown.
    """

    url: str
    name: str
    size: int | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A set of images.

    by_hand: which part of it needs a login, and how the user gets that. then: the next command, in which {folder} is
    the folder of the set.
    """

    name: str
    about: str
    files: tuple[File, ...]
    licence: str
    citation: str
    by_hand: str = ""
    then: str = "python train.py --dataroot {folder} --dataset_mode unaligned --model cycle_gan --name NAME"


@dataclass(frozen=True)
class Donor:
    """A trained generator. twin: the published generator of the opposite direction; None if there is none."""

    name: str
    about: str
    file: File
    citation: str
    netG: str
    norm: str
    no_dropout: bool
    ngf: int = 64
    twin: str | None = None
    licence: str = WEIGHTS


def _paired(name: str, about: str, size: int | None, licence: str, citation: str = ISOLA) -> DataSet:
    file = File(f"{BERKELEY}/pix2pix/datasets/{name}.tar.gz", f"{name}.tar.gz", size)
    then = "python train.py --dataroot {folder} --dataset_mode aligned --name NAME"
    return DataSet(name, about, (file,), licence, citation, then=then)


def _unpaired(
    name: str, about: str, licence: str, size: int | None = None, sha256: str = "", citation: str = ZHU, ours: str = ""
) -> DataSet:
    checksum = f"sha256:{sha256}" if sha256 else None
    file = File(f"{BERKELEY}/cyclegan/datasets/{name}.zip", f"{ours or name}.zip", size, checksum)
    return DataSet(ours or name, about, (file,), licence, citation)


IMAGENET = "images from ImageNet: non-commercial research and education"
FLICKR = "photos from Flickr, each under its owner's licence"
ART = f"paintings from WikiArt; {FLICKR}"
GOOGLE = "images from Google Maps, under its terms"
CMP = "research use, citation required; see https://cmp.felk.cvut.cz/~tylecr1/facade/"
NLM = (
    "released by the U.S. National Library of Medicine for research and education, citation required "
    "(https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/)"
)
CITYSCAPES = "https://www.cityscapes-dataset.com"

_SETS = (
    _paired(
        "facades",
        "CMP facades: photo beside labels, 400 train, 106 test, 100 val",
        30168306,
        CMP,
        f"{TYLECEK}; {ISOLA}",
    ),
    _paired("maps", "aerial photo beside map, 1096 train", 250242400, GOOGLE),
    _paired(
        "edges2shoes",
        "edges beside shoes, 50,000 train",
        None,
        "images of UT Zappos50K: non-commercial research",
        f"A. Yu, K. Grauman: Fine-Grained Visual Comparisons with Local Learning. CVPR 2014; {ISOLA}",
    ),
    _paired(
        "edges2handbags",
        "edges beside handbags, 137,000 train",
        None,
        f"photos from Amazon; {UNSTATED}",
        f"J.-Y. Zhu et al.: Generative Visual Manipulation on the Natural Image Manifold. ECCV 2016; {ISOLA}",
    ),
    _paired(
        "night2day",
        "the same place by night and by day",
        None,
        UNSTATED,
        f"P.-Y. Laffont et al.: Transient Attributes for High-Level Understanding and Editing of Outdoor Scenes. "
        f"SIGGRAPH 2014; {ISOLA}",
    ),
    DataSet(
        "cityscapes",
        "street scenes and their labels, 2975 train",
        (),
        f"registration at {CITYSCAPES}",
        f"M. Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding. CVPR 2016; {ISOLA}",
        f"register at {CITYSCAPES}, download gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip, and put "
        "label and photo side by side",
        "python train.py --dataroot {folder} --dataset_mode aligned --name NAME",
    ),
    _unpaired(
        "horse2zebra",
        "939 horses, 1177 zebras",
        IMAGENET,
        116867962,
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    _unpaired(
        "apple2orange",
        "996 apples, 1020 oranges",
        IMAGENET,
        78456409,
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    _unpaired(
        "summer2winter_yosemite",
        "Yosemite: 1273 in summer, 854 in winter",
        FLICKR,
        132640856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    _unpaired(
        "monet2photo",
        "1074 by Monet, 6853 photos",
        ART,
        305231073,
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
    _unpaired(
        "cezanne2photo",
        "584 by Cezanne, 6853 photos",
        ART,
        279885071,
        "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
    ),
    _unpaired(
        "ukiyoe2photo",
        "1433 ukiyo-e prints, 6853 photos",
        ART,
        292946532,
        "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
    ),
    _unpaired(
        "vangogh2photo",
        "401 by Van Gogh, 6853 photos",
        ART,
        306590349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
    _unpaired(
        "iphone2dslr_flower",
        "flowers: 1813 by phones, 3316 by cameras",
        FLICKR,
        339964458,
        "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
    ),
    _unpaired("ae_photos", "named by the authors' script, described nowhere", UNSTATED),
    _unpaired(
        "maps",
        "aerial photos and maps, unpaired, 1096 train",
        GOOGLE,
        1476754427,
        "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
        ours="cyclegan_maps",
    ),
    _unpaired(
        "facades",
        "CMP facades, unpaired, 400 train",
        CMP,
        35135868,
        "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
        f"{TYLECEK}; {ZHU}",
        "cyclegan_facades",
    ),
    DataSet(
        "cmp_facades",
        "CMP facades, the originals: 606 photos with 12 classes",
        tuple(
            File(f"https://cmp.felk.cvut.cz/~tylecr1/facade/{name}", name)
            for name in ("CMP_facade_DB_base.zip", "CMP_facade_DB_extended.zip")
        ),
        CMP,
        TYLECEK,
        then="python -m data.prepare facades {folder} {folder}_masks",
    ),
    DataSet(
        "montgomery",
        "chest X-rays: 138 with lung masks, tuberculosis",
        (File("https://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip", "NLM-MontgomeryCXRSet.zip"),),
        NLM,
        f"{JAEGER}; S. Candemir et al.: Lung segmentation in chest radiographs using anatomical atlases with "
        "nonrigid registration. IEEE Trans Med Imaging 33(2), 2014",
        then="python -m data.prepare montgomery {folder} {folder}_masks",
    ),
    DataSet(
        "shenzhen",
        "chest X-rays: 662, tuberculosis; 566 lung masks (login)",
        (File("https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip", "ChinaSet_AllFiles.zip"),),
        f"images: {NLM}; masks: CC BY-NC-SA 4.0",
        f"{JAEGER}; S. Stirenko et al.: Chest X-ray analysis of tuberculosis by deep learning with segmentation "
        "and augmentation. IEEE ELNANO 2018",
        "the lung masks: log in at https://www.kaggle.com/datasets/yoctoman/shcxr-lung-mask, download, and unpack "
        "into {folder}",
        "python -m data.prepare shenzhen {folder} {folder}_masks",
    ),
    DataSet(
        "jsrt",
        "chest X-rays: 247 (login), nodules; SCR's lung masks",
        (
            File(
                "https://zenodo.org/records/7056076/files/masks.zip",
                "scr_masks.zip",
                None,
                "md5:3e9bb1c4bc1f5b2672ac4bfeabab16f4",
            ),
        ),
        "images: JSRT, free for research; masks: SCR, free for research and education, no redistribution, no "
        "commercial use; citation of both required",
        "J. Shiraishi et al.: Development of a digital image database for chest radiographs with and without a "
        "lung nodule. AJR 174, 2000; B. van Ginneken, M. B. Stegmann, M. Loog: Segmentation of anatomical "
        "structures in chest radiographs using supervised methods. Med Image Anal 10(1), 2006",
        "the images: register at http://db.jsrt.or.jp/eng.php, download the 247 images, and unpack into {folder}",
        "python -m data.prepare jsrt {folder} {folder}_masks",
    ),
    DataSet(
        "siim",
        "SIIM-ACR: chest X-rays with pneumothorax masks, DICOM (login)",
        (),
        "rules of the SIIM-ACR Pneumothorax Segmentation challenge",
        "SIIM-ACR Pneumothorax Segmentation, 2019; X. Wang et al.: ChestX-ray8. CVPR 2017",
        "log in at https://www.kaggle.com/datasets/jesperdramsch/siim-acr-pneumothorax-segmentation-data (the "
        "challenge: https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation), download, and unpack into "
        "{folder}_dicom",
        "python -m data.prepare siim {folder}_dicom {folder}",
    ),
)


def _pix2pix(name: str, about: str, twin: str | None = None, size: int | None = None) -> Donor:
    file = File(f"{BERKELEY}/pix2pix/models-pytorch/{name}.pth", "latest_net_G.pth", size)
    return Donor(name, about, file, ISOLA, "unet_256", "batch", no_dropout=False, twin=twin)


def _cyclegan(name: str, about: str, twin: str | None, ours: str = "") -> Donor:
    file = File(f"{BERKELEY}/cyclegan/pretrained_models/{name}.pth", "latest_net_G.pth")
    return Donor(ours or name, about, file, ZHU, "resnet_9blocks", "instance", no_dropout=True, twin=twin)


_DONORS = (
    _pix2pix("facades_label2photo", "facade labels to photo (upstream's BtoA)"),
    _pix2pix("edges2shoes", "edges to shoes"),
    _pix2pix("sat2map", "aerial photo to map", "map2sat", 217704720),
    _pix2pix("map2sat", "map to aerial photo", "sat2map"),
    _pix2pix("day2night", "day to night"),
    _cyclegan("horse2zebra", "horse to zebra", "zebra2horse"),
    _cyclegan("zebra2horse", "zebra to horse", "horse2zebra"),
    _cyclegan("apple2orange", "apple to orange", "orange2apple"),
    _cyclegan("orange2apple", "orange to apple", "apple2orange"),
    _cyclegan("summer2winter_yosemite", "summer to winter", "winter2summer_yosemite"),
    _cyclegan("winter2summer_yosemite", "winter to summer", "summer2winter_yosemite"),
    _cyclegan("monet2photo", "Monet to photo", "style_monet"),
    _cyclegan("style_monet", "photo to Monet", "monet2photo"),
    _cyclegan("style_cezanne", "photo to Cezanne", None),
    _cyclegan("style_ukiyoe", "photo to ukiyo-e", None),
    _cyclegan("style_vangogh", "photo to Van Gogh", None),
    _cyclegan("sat2map", "aerial photo to map", "cyclegan_map2sat", "cyclegan_sat2map"),
    _cyclegan("map2sat", "map to aerial photo", "cyclegan_sat2map", "cyclegan_map2sat"),
    _cyclegan("cityscapes_photo2label", "street photo to labels", "cityscapes_label2photo"),
    _cyclegan("cityscapes_label2photo", "labels to street photo", "cityscapes_photo2label"),
    _cyclegan(
        "facades_photo2label", "photo to facade labels", "cyclegan_facades_label2photo", "cyclegan_facades_photo2label"
    ),
    _cyclegan(
        "facades_label2photo", "facade labels to photo", "cyclegan_facades_photo2label", "cyclegan_facades_label2photo"
    ),
    _cyclegan("iphone2dslr_flower", "flowers, phone to camera", None),
)


def torchvisions(encoder: str) -> str | None:
    """Name the encoder that equals torchvision's network, if segmentation_models_pytorch's own of that name does not.

    Only its EfficientNets differ: they pad in another way. timm's (`tu-...`) equal torchvision's. None for all others.
    """
    return f"tu-{encoder.replace('-', '_')}" if encoder.startswith("efficientnet-") else None


def imagenet_weights(encoder: str) -> File | None:
    """Return the ImageNet weights that torchvision publishes for an encoder; None if it has none that fit.

    encoder: its name in segmentation_models_pytorch. The file's name ends in the first eight digits of its SHA-256.
    """
    name = encoder.removeprefix("tu-")
    fit = r"resnet\d+|resnext\w+|vgg\d+(_bn)?|densenet\d+|mobilenet_v2|inception_v3|efficientnet_b[0-4]"
    if not re.fullmatch(fit, name):
        return None
    from torchvision import models  # takes seconds, and only encoders need it

    if name not in models.list_models():
        return None
    url = models.get_model_weights(name)["IMAGENET1K_V1"].url
    return File(url, url.rpartition("/")[2])


DATA_SETS: dict[str, DataSet] = {item.name: item for item in _SETS}
DONORS: dict[str, Donor] = {item.name: item for item in _DONORS}


def donor(name: str) -> Donor | None:
    """Return the published generator of that name or of upstream's folder name (horse2zebra_pretrained)."""
    return DONORS.get(name.removesuffix("_pretrained"))


def twin(name: str) -> str | None:
    """Name the published generator of the opposite direction (zebra2horse for horse2zebra); None if there is none."""
    published = donor(name)
    return published.twin if published else None
