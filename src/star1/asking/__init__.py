"""Asking a model about rows: questions, conversations, parsing of replies. All of it decides results."""
