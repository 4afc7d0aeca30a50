"""The Models page: what is on this disk, the hub, and what is on its way. Its page is imported when it is shown."""
