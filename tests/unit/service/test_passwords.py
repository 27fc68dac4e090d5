from postroad.model import Address
from postroad.service.passwords import SCRAM_ITERATIONS, Passwords, scram_salt, scram_salt_of


async def test_keys_are_those_of_the_salt() -> None:
    passwords = Passwords(scram_iterations=4096)
    try:
        salt = scram_salt_of(b"secret", Address.parse("Bob@x.test"))
        assert salt == scram_salt(b"secret", "bob@x.test")
        assert salt != scram_salt(b"other", "bob@x.test")
        keys = await passwords.scram_keys("pencil", salt)
        assert keys == await passwords.scram_keys("pencil", salt)
        assert (keys.salt, keys.iterations) == (salt, 4096)
        fake = passwords.fake_scram_keys(b"secret", "bob@x.test")
        assert (fake.salt, fake.iterations) == (keys.salt, keys.iterations)
        assert fake.stored_key != keys.stored_key
    finally:
        passwords.close()


def test_iterations_are_more_than_the_rfc_asks_for() -> None:
    assert SCRAM_ITERATIONS >= 4096
