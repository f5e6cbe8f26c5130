package eval

import (
	"strings"
	"unicode/utf8"
)

// A template is a parsed pattern of to_char, to_date, to_timestamp or to_number.
type template struct {
	nodes []templateNode
	num   numberDesc // of templates of numbers
}

// A templateNode is a keyword with its modifiers, or a piece of text.
type templateNode struct {
	kind    nodeKind
	key     *templateKey
	fill    bool   // FM before it
	local   bool   // TM before it
	ordinal string // TH or th after it, or nothing
	text    string // of kinds other than nodeField: one character
}

type nodeKind byte

const (
	nodeField nodeKind = iota
	nodeChar
	nodeSeparator
	nodeSpace
)

// A templateKey is a keyword of templates.
type templateKey struct {
	name  string // as it is written
	upper string // in capitals: what it means
	digit bool   // what it reads starts with a digit
	mode  byte   // 'g' of the Gregorian calendar, 'i' of ISO weeks, 0 of any
}

// dateKeys and numberKeys are the keywords by first letter, each before those
// that are its prefixes.
var (
	dateKeys = keysOf(`A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY Day Dy D FF1 FF2 FF3 FF4 FF5 FF6 FX
		HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS Month Mon OF P.M. PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y
		a.d. a.m. ad am b.c. bc cc day ddd dd dy d ff1 ff2 ff3 ff4 ff5 ff6 fx hh24 hh12 hh iddd id iw iyyy iyy iy i j mi mm month mon ms of p.m. pm q rm
		sssss ssss ss tzh tzm tz us ww w y,yyy yyyy yyy yy y`)
	numberKeys = keysOf(`, . 0 9 B C D EEEE FM G L MI PL PR RN SG SP S TH V b c d eeee fm g l mi pl pr rn sg sp s th v`)
)

func keysOf(names string) *[128][]*templateKey {
	const digits = " CC DDD DD D FF1 FF2 FF3 FF4 FF5 FF6 HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MS Q SSSSS SSSS SS TZM US WW W Y,YYY YYYY YYY YY Y "
	const gregorian = " DDD DD D MM MONTH MON RM WW W Y,YYY YYYY YYY YY Y "
	const iso = " IDDD ID IW IYYY IYY IY I "
	var keys [128][]*templateKey
	for _, name := range strings.Fields(names) {
		k := &templateKey{name: name, upper: strings.ToUpper(name)}
		in := func(list string) bool { return strings.Contains(list, " "+k.upper+" ") }
		k.digit = in(digits)
		switch {
		case in(gregorian):
			k.mode = 'g'
		case in(iso):
			k.mode = 'i'
		}
		keys[name[0]] = append(keys[name[0]], k)
	}
	return &keys
}

func findKey(keys *[128][]*templateKey, s string) *templateKey {
	if s == "" || s[0] >= utf8.RuneSelf {
		return nil
	}
	for _, k := range keys[s[0]] {
		if strings.HasPrefix(s, k.name) {
			return k
		}
	}
	return nil
}

// isSeparator says that a byte is printable and neither letter, digit nor space.
func isSeparator(c byte) bool {
	return 0x20 < c && c < 0x7f && !isAlnum(c)
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= asciiLower(c) && asciiLower(c) <= 'z'
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// parseTemplate parses a template of dates or, with number, of numbers.
func parseTemplate(src []byte, number bool) (*template, error) {
	t := &template{}
	keys := dateKeys
	if number {
		keys = numberKeys
	}
	for s := string(src); s != ""; {
		n := templateNode{}
		if !number {
			switch s[:min(2, len(s))] {
			case "FM", "fm":
				n.fill, s = true, s[2:]
			case "TM", "tm":
				n.local, s = true, s[2:]
			}
		}
		if n.key = findKey(keys, s); n.key != nil {
			s = s[len(n.key.name):]
			if number {
				if err := t.num.add(n.key.upper); err != nil {
					return nil, err
				}
			} else {
				switch suffix := s[:min(2, len(s))]; suffix {
				case "TH", "th":
					n.ordinal, s = suffix, s[2:]
				case "SP":
					s = s[2:]
				}
			}
			t.nodes = append(t.nodes, n)
			continue
		}
		if strings.HasPrefix(s, `"`) {
			s = t.quoted(s[1:])
			continue
		}
		if strings.HasPrefix(s, `\"`) {
			s = s[1:]
		}
		if s != "" {
			kind := nodeChar
			if !number && isSeparator(s[0]) {
				kind = nodeSeparator
			} else if isBlank(s[0]) {
				kind = nodeSpace
			}
			s = t.char(kind, s)
		}
	}
	return t, nil
}

// quoted adds the characters up to a closing quote.
func (t *template) quoted(s string) string {
	for s != "" {
		if s[0] == '"' {
			return s[1:]
		}
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		s = t.char(nodeChar, s)
	}
	return s
}

// char adds the first character of s as text.
func (t *template) char(kind nodeKind, s string) string {
	_, w := utf8.DecodeRuneInString(s)
	t.nodes = append(t.nodes, templateNode{kind: kind, text: s[:w]})
	return s[w:]
}
