"""Real bounces in many formats: who did not get the message.

The messages and the table of what is to be found in them are those of flufl.bounce
(tests/test_detectors.py of 6.0.0), copyright 2004-2026 Barry Warsaw, under the Apache License 2.0. Two
messages without a row there, bounce_01 and dumbass_01, name no address.
"""

from postroad.message.bounce import read_notice
from tests.conformance.report import record
from tests.suites import suite

# message, what the addresses are, the addresses
EXPECTED = """
aol_01 failed screenname@aol.com
bounce_01 failed
bounce_02 failed userx@example.com
bounce_03 failed userx@example.uk
caiwireless_01 failed userx@example.com
dsn_01 failed userx@example.com
dsn_02 failed zzzzz@example.uk
dsn_03 failed userx@example.be
dsn_04 failed userx@example.ch
dsn_05 late userx@example.cz
dsn_06 late userx@example.com
dsn_07 late userx@example.nz
dsn_08 late userx@example.de
dsn_09 failed userx@example.com
dsn_10 failed anne.person@dom.ain
dsn_11 failed joem@example.com
dsn_12 failed userx@example.jp
dsn_13 failed userx@example.com
dsn_14 failed userx@example.com.dk
dsn_15 failed userx@example.com
dsn_16 failed userx@example.com
dsn_17 late userx@example.fi
dsn_18 failed email@replaced.net
dumbass_01 failed
exim_01 failed userx@its.example.nl
groupwise_01 failed userx@example.EDU
groupwise_02 failed userx@example.com
groupwise_03 failed
hotpop_01 failed userx@example.com
llnl_01 failed user1@example.gov
microsoft_01 failed userx@example.COM
microsoft_02 failed userx@example.COM
microsoft_03 failed userx@example.com
microsoft_04 failed userx@example.COM
netscape_01 failed aaaaa@corel.com bbbbb@corel.com
newmailru_01 failed zzzzz@newmail.ru
postfix_01 failed xxxxx@local.ie
postfix_02 failed yyyyy@digicool.com
postfix_03 failed ttttt@ggggg.com
postfix_04 failed userx@mail1.example.com
postfix_05 failed userx@example.net
qmail_01 failed userx@example.de
qmail_02 failed userx@example.com
qmail_03 failed userx@example.jp
qmail_04 failed userx@example.au
qmail_05 failed userx@example.com
qmail_06 failed ntl@xxx.com
qmail_07 failed user@example.net
qmail_08 failed
sendmail_01 failed zzzzz@shaft.coal.nl zzzzz@nfg.nl
simple_01 failed bbbsss@example.com
simple_02 failed userx@example.net
simple_03 late userx@example.za
simple_04 failed userx@example.com
simple_05 failed userx@example.net
simple_06 failed userx@example.com
simple_07 failed userx@example.net
simple_08 failed userx@example.de
simple_09 failed userx@example.de
simple_10 failed userx@example.com
simple_11 failed userx@example.com
simple_12 failed userx@example.ac.jp
simple_13 failed userx@example.fr
simple_14 failed userx@example.com usery@example.com
simple_15 failed userx@example.be
simple_16 failed userx@example.com
simple_17 failed userx@example.com
simple_18 failed userx@example.com
simple_19 failed userx@example.com.ar
simple_20 failed userx@example.com
simple_21 late userx@example.com
simple_22 late User@example.org
simple_23 failed userx@example.it
simple_24 failed userx@example.com
simple_25 failed userx@example.com
simple_26 failed userx@example.it
simple_27 failed userx@example.net.py
simple_28 late userx@example.com
simple_29 failed userx@example.com
simple_30 failed userx@example.com
simple_31 failed userx@example.fr
simple_32 failed userx@example.com
simple_33 failed userx@example.com
simple_34 failed roland@example.com
simple_35 late calvin@example.com
simple_36 failed userx@example.com
simple_37 failed user@example.edu
simple_38 failed userx@example.com
simple_39 failed userx@example.ru
simple_40 late user@example.com
simple_41 failed userx@example.com
simple_42 failed
simple_43 failed
simple_44 failed user@example.com
simple_45 failed subscriber@earthlink.net
sina_01 failed userx@sina.com usery@sina.com
smtp32_01 failed userx@example.ph
smtp32_02 failed userx@example.com
smtp32_03 failed userx@example.com
smtp32_04 failed after_another@example.net one_bad_address@example.net
smtp32_05 failed userx@example.com
smtp32_06 failed Absolute_garbage_addr@example.net
smtp32_07 failed userx@example.com
yahoo_01 failed userx@example.com
yahoo_02 failed userx@example.es
yahoo_03 failed userx@example.com
yahoo_04 failed userx@example.es usery@example.uk
yahoo_05 failed userx@example.com usery@example.com
yahoo_06 failed userx@example.com usery@example.com userz@example.com usera@example.com
yahoo_07 failed userw@example.com userx@example.com usery@example.com userz@example.com
yahoo_08 failed usera@example.com userb@example.com userc@example.com userd@example.com
    usere@example.com userf@example.com
yahoo_09 failed userx@example.com usery@example.com
yahoo_10 failed userx@example.com usery@example.com userz@example.com
yahoo_11 failed bad_user@aol.com
yahoo_12 failed user@yahoo.com
yahoo_13 failed bogus-address@example.net
yale_01 failed userx@cs.yale.edu userx@yale.edu
"""

DIFFERENT = {
    "simple_42": "the row is of one detector, which finds nothing; the report names david...@gmail.com",
}


def test_the_addresses_that_bounced() -> None:
    folder = suite("bounces") / "messages"
    rows = [line.split() for line in EXPECTED.strip().replace("\n   ", "").splitlines()]
    assert {f"{name}.txt" for name, *_ in rows} == {path.name for path in folder.iterdir()}
    differences = []
    for name, kind, *addresses in rows:
        notice = read_notice((folder / f"{name}.txt").read_bytes())
        found = {
            each.address
            for each in (notice.recipients if notice else ())
            if not each.delivered and each.failed == (kind == "failed")
        }
        if found != set(addresses):
            reason = DIFFERENT.get(name, f"WRONG: {sorted(found)}, not {addresses}")
            differences.append({"case": name, "reason": reason})
    record("bounces", passed=len(rows) - len(differences), total=len(rows), differences=differences)
    assert {each["case"] for each in differences} == set(DIFFERENT), differences
    assert len(rows) == 117
