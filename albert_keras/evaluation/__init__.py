"""What a trained model is worth, in numbers and figures."""
