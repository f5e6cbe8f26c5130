package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// quoted reads a string constant whose quote is at l.at. Strings with nothing
// but white space and a newline between them are one string, as SQL has it.
func (l *lexer) quoted(escapes bool) string {
	var out []byte
	src, n := l.src, len(l.src)
	j := l.at + 1
	start := j
	for j < n {
		switch c := src[j]; {
		case c == '\'' && j+1 < n && src[j+1] == '\'':
			out = append(out, src[start:j+1]...)
			j += 2
			start = j
		case c == '\'':
			k := l.continued(j + 1)
			if k == 0 {
				l.at = j + 1
				if out == nil {
					return src[start:j]
				}
				out = append(out, src[start:j]...)
				if escapes {
					l.checkText(out)
				}
				return string(out)
			}
			out = append(out, src[start:j]...)
			j = k
			start = j
		case escapes && c == '\\' && j+1 < n:
			out = append(out, src[start:j]...)
			out, j = l.escape(out, j+1)
			if l.err != nil {
				return ""
			}
			start = j
		default:
			j++
		}
	}
	l.fail(l.start, pgerr.SyntaxError, "unterminated quoted string at or near \"%s\"", src[l.start:])
	return ""
}

// checkText refuses what escapes can write and text cannot hold.
func (l *lexer) checkText(b []byte) {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			l.fail(l.start, pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", b[i])
			return
		}
		i += n
	}
}

// continued gives where the string goes on after white space with a newline; 0 if it does not.
func (l *lexer) continued(k int) int {
	newline := false
	for k < len(l.src) {
		switch c := l.src[k]; {
		case c == '\n' || c == '\r':
			newline = true
			k++
		case isSpace(c):
			k++
		case newline && strings.HasPrefix(l.src[k:], "--"):
			for k < len(l.src) && l.src[k] != '\n' && l.src[k] != '\r' {
				k++
			}
		case c == '\'' && newline:
			return k + 1
		default:
			return 0
		}
	}
	return 0
}

// escape reads what follows a backslash at j-1 in an E'…' string.
func (l *lexer) escape(out []byte, j int) ([]byte, int) {
	src := l.src
	c := src[j]
	j++
	switch c {
	case 'b':
		return append(out, '\b'), j
	case 'f':
		return append(out, '\f'), j
	case 'n':
		return append(out, '\n'), j
	case 'r':
		return append(out, '\r'), j
	case 't':
		return append(out, '\t'), j
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := int(c - '0')
		for k := 0; k < 2 && j < len(src) && src[j] >= '0' && src[j] <= '7'; k++ {
			v = v*8 + int(src[j]-'0')
			j++
		}
		return append(out, byte(v)), j
	case 'x':
		v, n := hexRun(src[j:], 2)
		if n == 0 {
			return append(out, 'x'), j
		}
		return append(out, byte(v)), j + n
	case 'u', 'U':
		want := 4
		if c == 'U' {
			want = 8
		}
		v, n := hexRun(src[j:], want)
		if n < want {
			l.fail(j-2, pgerr.InvalidEscapeSequence, "invalid Unicode escape")
			return out, j
		}
		r, j := rune(v), j+n
		if r >= 0xD800 && r < 0xDC00 && strings.HasPrefix(src[j:], `\u`) {
			if low, m := hexRun(src[j+2:], 4); m == 4 && low >= 0xDC00 && low < 0xE000 {
				r = (r-0xD800)<<10 + rune(low-0xDC00) + 0x10000
				j += 6
			}
		}
		if v == 0 || v > 0x10FFFF || !utf8.ValidRune(r) {
			l.fail(j-n-2, pgerr.SyntaxError, "invalid Unicode escape value")
			return out, j
		}
		return utf8.AppendRune(out, r), j
	}
	if c >= 0x80 { // keep a character whole
		_, n := utf8.DecodeRuneInString(src[j-1:])
		return append(out, src[j-1:j-1+n]...), j - 1 + n
	}
	return append(out, c), j
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// hexRun reads up to want hexadecimal digits and says how many there were.
func hexRun(s string, want int) (v int64, n int) {
	for n < want && n < len(s) && hexVal(s[n]) >= 0 {
		v = v*16 + int64(hexVal(s[n]))
		n++
	}
	return v, n
}

// quotedIdent reads a "name" whose quote is at l.at.
func (l *lexer) quotedIdent() string {
	src := l.src
	var out []byte
	start := l.at + 1
	for j := start; j < len(src); j++ {
		if src[j] != '"' {
			continue
		}
		if j+1 < len(src) && src[j+1] == '"' {
			out = append(out, src[start:j+1]...)
			j++
			start = j + 1
			continue
		}
		l.at = j + 1
		if out = append(out, src[start:j]...); len(out) == 0 {
			l.fail(l.start, pgerr.SyntaxError, "zero-length delimited identifier at or near \"\"\"\"")
		}
		return string(out)
	}
	l.fail(l.start, pgerr.SyntaxError, "unterminated quoted identifier at or near \"%s\"", src[l.start:])
	return ""
}

// unicode reads U&'…' and U&"…" with an optional UESCAPE.
func (l *lexer) unicode() {
	l.at += 2
	kind, v := tString, ""
	if l.src[l.at] == '"' {
		kind, v = tQuoted, l.quotedIdent()
	} else {
		v = l.quoted(false)
	}
	if l.err != nil {
		return
	}
	esc, end := byte('\\'), l.at
	l.skipSpace()
	if rest := l.src[l.at:]; l.err == nil && len(rest) > 7 && strings.EqualFold(rest[:7], "uescape") && !isWord(rest[7]) {
		l.at += 7
		l.skipSpace()
		q := l.src[l.at:]
		if len(q) < 3 || q[0] != '\'' || q[2] != '\'' || hexVal(q[1]) >= 0 || isSpace(q[1]) || strings.IndexByte("+'\"", q[1]) >= 0 {
			l.fail(l.at, pgerr.SyntaxError, "invalid Unicode escape character at or near \"%s\"", firstWord(q))
			return
		}
		esc = q[1]
		l.at += 3
		end = l.at
	}
	l.at = end
	v = l.decodeUnicode(v, esc)
	if kind == tQuoted {
		v = truncateIdent(v)
	}
	if l.err == nil {
		l.add(kind, v)
	}
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\r\n;"); i > 0 {
		return s[:i]
	}
	return s
}

func (l *lexer) decodeUnicode(s string, esc byte) string {
	if strings.IndexByte(s, esc) < 0 {
		return s
	}
	var out []byte
	for i := 0; i < len(s); {
		if s[i] != esc {
			out = append(out, s[i])
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == esc {
			out = append(out, esc)
			i += 2
			continue
		}
		digits, off := 4, 1
		if i+1 < len(s) && s[i+1] == '+' {
			digits, off = 6, 2
		}
		v, n := int64(0), 0
		if i+off <= len(s) {
			v, n = hexRun(s[i+off:], digits)
		}
		if n < digits {
			l.fail(l.start, pgerr.SyntaxError, "invalid Unicode escape")
			return ""
		}
		i += off + digits
		r := rune(v)
		if r >= 0xD800 && r < 0xDC00 && i+5 <= len(s) && s[i] == esc {
			if low, m := hexRun(s[i+1:], 4); m == 4 && low >= 0xDC00 && low < 0xE000 {
				r = (r-0xD800)<<10 + rune(low-0xDC00) + 0x10000
				i += 5
			}
		}
		if r == 0 || !utf8.ValidRune(r) {
			l.fail(l.start, pgerr.SyntaxError, "invalid Unicode escape value")
			return ""
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
