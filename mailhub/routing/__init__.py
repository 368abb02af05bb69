"""Where a message goes, decided per recipient, and the avatars that ask.

:mod:`.router` reads the directory and decides; :mod:`.submission` takes mail from
other servers and from users, has it checked, and delivers it with one commit.
"""
