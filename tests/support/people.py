"""A person file that says nothing of insurance or certificates; tests add what they are about."""

SOMEBODY = """name = "山田　花子"
name_kana = "ﾔﾏﾀﾞ ﾊﾅｺ"
birth_date = {birth}
sex = 2
address = "東京都"

[card]
expires = 2035-02-17
security_code = "2285"
photo = "synthetic"

[certificate]
expires = 2030-02-17

{more}
"""
