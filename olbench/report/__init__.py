"""Told: findings become pages, tables and files. matplotlib and jinja2 have their only door here."""
