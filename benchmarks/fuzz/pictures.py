"""Sound images and tables of a data set, small and of every kind that a reader knows, and how each of them is read."""

from pathlib import Path

import numpy as np

from benchmarks.fuzz.changes import Seed


def images(folder: Path) -> list[Seed]:
    from PIL import Image

    from data.read.images import read_file

    grey = (np.indices((24, 20)).sum(0) * 5).astype(np.uint8)
    pictures = {"grey": Image.fromarray(grey), "deep": Image.fromarray(grey.astype(np.uint16) * 257)}
    pictures["colour"] = Image.fromarray(np.stack([grey, grey.T.reshape(24, 20), 255 - grey], -1))
    pictures["palette"], pictures["alpha"] = pictures["colour"].convert("P"), pictures["colour"].convert("RGBA")
    files = [(f"{kind}.png", kind, {}) for kind in pictures]
    files += [
        (f"{kind}{i}.tif", kind, {"compression": compression})
        for kind in ("grey", "deep", "colour")
        for i, compression in enumerate((None, "tiff_lzw", "tiff_adobe_deflate", "packbits"))
    ]
    files += [("fax.tif", "grey", {"compression": "group4"}), ("jpeg.tif", "colour", {"compression": "jpeg"})]
    files += [(f"{kind}.{end}", kind, {}) for kind in ("grey", "colour") for end in ("jpg", "bmp", "webp")]
    files += [("progressive.jpg", "colour", {"progressive": True}), ("x.gif", "palette", {}), ("x.pgm", "deep", {})]
    for name, kind, how in files:
        picture = pictures[kind].convert("1") if how.get("compression") == "group4" else pictures[kind]
        picture.save(folder / name, **how)
    return [Seed(folder / name, lambda path: read_file(path, several=True)) for name, _, _ in files]


def dicom(folder: Path) -> list[Seed]:
    from pydicom import uid

    from data.read.dicom import read_dicom
    from data.read.headers import read_patient, read_spacing

    def read(path: Path) -> None:
        read_patient(path)
        read_spacing(path)
        read_dicom(path)

    syntaxes = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian)
    syntaxes += (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)
    for i, syntax in enumerate(syntaxes):
        _write_dicom(folder / f"{i}.dcm", str(syntax), inverted=i % 2 == 1)
    return [Seed(folder / f"{i}.dcm", read) for i in range(len(syntaxes))]


def _write_dicom(path: Path, syntax: str, inverted: bool) -> None:
    """An X-ray of 12 bits; an inverted one has a VOI LUT."""
    import imagecodecs
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence

    pixels = (np.indices((24, 20)).sum(0) * 90).astype(np.uint16)
    image, item = Dataset(), Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, "1.2.3.4"
    image.PatientID, image.PatientName, image.PixelSpacing = "P1", "A^B", [0.2, 0.2]
    image.WindowCenter, image.WindowWidth, image.RescaleSlope, image.RescaleIntercept = "1000", "2000", "2", "-5"
    item.LUTDescriptor, item.LUTData = [256, 0, 16], bytes(512)
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    if inverted:
        image.VOILUTSequence = Sequence([item])
    image.set_pixel_data(pixels, "MONOCHROME1" if inverted else "MONOCHROME2", 12)
    coders = {uid.JPEGLSLossless: imagecodecs.jpegls_encode, uid.JPEG2000Lossless: imagecodecs.jpeg2k_encode}
    if syntax == uid.RLELossless:
        image.compress(syntax)
    elif syntax in coders:
        image.PixelData = encapsulate([coders[uid.UID(syntax)](pixels)])
    image.file_meta.TransferSyntaxUID = uid.UID(syntax)
    image.save_as(path, enforce_file_format=True)


def siim(folder: Path) -> list[Seed]:
    from data.prepare.run_lengths import decode, read_table

    def read(path: Path) -> None:
        for parts in read_table(path).values():
            for runs in parts:
                decode(runs, 64, 64)

    (folder / "a.csv").write_text("ImageId,EncodedPixels\n1.2.3,10 5 60 5\n1.2.4,-1\n1.2.3, 100 3\n1.2.5,-1\n")
    return [Seed(folder / "a.csv", read, True)]


def splits(folder: Path) -> list[Seed]:
    from data.read.splits import read_splits

    rows = (
        "image,split,patient,fold,label,spacing",
        "a.png,train,P1,0,1,",
        "sub/b.png,val,P2,1,0,",
        "c.png,test,,2,1,",
    )
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    (folder / "b.csv").write_text("image,split\r\na.png,train\r\n")
    return [Seed(folder / name, lambda path: read_splits(path), True) for name in ("a.csv", "b.csv")]
