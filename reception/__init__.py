"""The visit, from the inserted card to the finished check-in."""
