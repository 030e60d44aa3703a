"""The group convolution in the spectrum of its group."""
