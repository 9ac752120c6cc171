"""The part of dominate that pix2mask uses. Its own code defeats type checkers: they see no classes in its tags."""

from dominate.tags import html_tag

class document(html_tag):
    head: html_tag
    body: html_tag
    header: html_tag
    main: html_tag
    footer: html_tag
    def __init__(self, title: str = ..., *, lang: str = ...) -> None: ...
