"""Speed against the code that users of pix2pix and CycleGAN have now. It is never part of pix2mask: the user has it."""
