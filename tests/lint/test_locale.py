"""What the library reads and writes doesn't depend on the locale of the
program that it is part of: its decimal comma, its Turkish i."""
import re

import pytest

from test_layers import SOURCES, name_of

OURS = [path for path in SOURCES if not name_of(path).startswith("tools/")]

# base/ascii.h has what these are wanted for.
ASKS = re.compile(r"#\s*include\s*<(?:ctype|strings|wchar|wctype)\.h>"
                  r"|\bstr(?:n?casecmp|casestr|coll|xfrm)\s*\(")
# A function with one of these says USE_C_LOCALE (base/c_locale.h). Whole
# numbers and `%s` are the same everywhere.
NUMBERS = re.compile(r"\b(?:strto(?:d|f|ld)|atof|strptime|fnmatch"
                     r"|json_(?:load|dump)\w*)\s*\("
                     r'|"(?:[^"\\\n]|\\.)*%[-+ #0-9.*]*l?[aefgAEFG]')
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def functions(text):
    text = COMMENT.sub("", text).replace("%%", "")
    return re.split(r"^}", text, flags=re.M)


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_no_locale_is_asked(path):
    text = path.read_text()
    assert not ASKS.search(text)
    for function in functions(text):
        found = NUMBERS.search(function)
        assert not found or "USE_C_LOCALE" in function, found.group(0)


@pytest.mark.parametrize("line", [
    'strtod(text, &end)', 'json_loadb(text, size, 0, NULL)',
    'printf("%g", x)', 'wh_fail(err, WH_EIO, "has %.4g times \\"%s\\"", x)',
    'snprintf(text, 64, "%.*f", digits, value)', 'strptime(date, "%T", &tm)'])
def test_what_asks_the_locale_is_noticed(line):
    assert NUMBERS.search(line)
    assert not NUMBERS.search('printf("%s, %d f", text, n)')
    assert ASKS.search("#include <ctype.h>")
