"""This package defines arguments and answers: references, filters, texts, answers and their schemas."""
