"""Whether a store holds what it says it holds, and putting right what does not.

``checking`` goes through the topics, one short snapshot of the database after the
other, so that it can run beside a server; each topic is a module that looks at one
part (a mailbox, some messages, a directory of files) and says what it found and how
that can be put right.  Nothing here needs Twisted.
"""
