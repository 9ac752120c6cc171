"""KID by Inception weights from a file; here random ones in torchvision's layout."""

import pytest
import torch
from torch import nn
from torchvision.models import inception_v3
from torchvision.transforms.v2.functional import normalize, resize

from util.errors import UserError
from util.forgetting.kid import InceptionFeatures


@pytest.mark.filterwarnings("ignore:The default weight initialization of inception_v3")
def test_features_equal_those_of_torchvisions_published_network(tmp_path):
    torch.manual_seed(0)
    theirs = inception_v3(weights=None, aux_logits=True, transform_input=True, init_weights=False).eval()
    torch.save(theirs.state_dict(), tmp_path / "inception.pth")
    features = InceptionFeatures(tmp_path / "inception.pth")
    image = torch.rand(1, 3, 64, 48) * 2 - 1
    theirs.fc = nn.Identity()
    unit = resize((image + 1) / 2, [299, 299], antialias=True)
    with torch.no_grad():
        expected = theirs(normalize(unit, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    found = features(image)
    assert found.shape == (1, 2048)
    torch.testing.assert_close(found / expected.std(), expected / expected.std(), rtol=1e-3, atol=1e-3)
    grey = image[:, :1]
    assert torch.equal(features(grey), features(grey.repeat(1, 3, 1, 1)))
    assert features.name.startswith("inception_v3:")


def test_a_file_with_other_weights_is_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="x.pth: .*--kid_weights wants a state dict of torchvision's inception_v3"):
        InceptionFeatures(tmp_path / "x.pth")
