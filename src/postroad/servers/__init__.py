"""Submission, MX and POP3: a wire machine joined to a service, one object per connection."""
