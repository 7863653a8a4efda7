"""This package defines arguments and answers: references to videos and users, filters, answers and their schemas."""
