"""The checks that come with Postroad."""
