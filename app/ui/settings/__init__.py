"""The Settings place: what the owner has chosen, shown and changed; the file and its rules are app.core.settings.

Its page is imported when it is shown.
"""
