"""The receipt computer's (レセコン) folder interface: its content, its XML, its files, its folder.

``content`` says what is told, ``xml`` how a value becomes an element, ``files`` what a file holds, ``folder``, the only
one that touches a disk, where files come and go, and ``answers`` what the eligibility server's answers become.
"""
