package eval

import (
	"bytes"
	"unicode/utf8"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// patternFuncs are LIKE and ILIKE.
var patternFuncs = map[string]impl{
	"textlike(text,text)": like(false, false), "textnlike(text,text)": like(true, false),
	"bpcharlike(bpchar,text)": like(false, false), "bpcharnlike(bpchar,text)": like(true, false),
	"namelike(name,text)": like(false, false), "namenlike(name,text)": like(true, false),
	"bytealike(bytea,bytea)": like(false, false), "byteanlike(bytea,bytea)": like(true, false),
	"texticlike(text,text)": like(false, true), "texticnlike(text,text)": like(true, true),
	"bpchariclike(bpchar,text)": like(false, true), "bpcharicnlike(bpchar,text)": like(true, true),
	"nameiclike(name,text)": like(false, true), "nameicnlike(name,text)": like(true, true),
	"like(text,text)": like(false, false), "notlike(text,text)": like(true, false),
	"like(name,text)": like(false, false), "notlike(name,text)": like(true, false),
	"like(bytea,bytea)": like(false, false), "notlike(bytea,bytea)": like(true, false),
	"like_escape(text,text)": fn2(likeEscape), "like_escape(bytea,bytea)": fn2(likeEscape),
}

// like compiles a LIKE. A constant pattern that only asks for a prefix, a
// suffix, a part or the whole is one comparison of bytes.
func like(neg, fold bool) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		if k, ok := constArg(call, 1); ok && !fold {
			if match := simpleLike(k.B); match != nil {
				return fn2(func(_ *Frame, a, _ types.Datum) (types.Datum, error) {
					return types.DBool(match(a.B) != neg), nil
				}), nil
			}
		}
		text := call.Fn.Args[0] != types.Bytea
		return fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			m, err := matchLike(a.B, b.B, text, fold)
			return types.DBool((m == likeMatch) != neg), err
		}), nil
	}
}

func simpleLike(p []byte) func(s []byte) bool {
	first, last := bytes.HasPrefix(p, percent), len(p) > 1 && bytes.HasSuffix(p, percent)
	mid := p
	if first {
		mid = mid[1:]
	}
	if last {
		mid = mid[:len(mid)-1]
	}
	if bytes.ContainsAny(mid, `%_\`) {
		return nil
	}
	switch {
	case first && last:
		return func(s []byte) bool { return bytes.Contains(s, mid) }
	case first:
		return func(s []byte) bool { return bytes.HasSuffix(s, mid) }
	case last:
		return func(s []byte) bool { return bytes.HasPrefix(s, mid) }
	}
	return func(s []byte) bool { return bytes.Equal(s, mid) }
}

var percent = []byte("%")

// Outcomes of a match: likeAbort says that the text is used up, so that no
// later start can match either.
const (
	likeMatch = iota
	likeFalse
	likeAbort
)

var errLikeEscape = pgerr.Newf(pgerr.InvalidEscapeSequence, "LIKE pattern must not end with escape character")

// matchLike matches as PostgreSQL's MatchText does, its errors included.
func matchLike(s, p []byte, text, fold bool) (int, error) {
	char := func(s []byte) int {
		if !text || s[0] < utf8.RuneSelf {
			return 1
		}
		_, w := utf8.DecodeRune(s)
		return w
	}
	same := func(a, b byte) bool { return a == b || fold && asciiLower(a) == asciiLower(b) }
	if len(p) == 1 && p[0] == '%' {
		return likeMatch, nil
	}
	for len(s) > 0 && len(p) > 0 {
		switch p[0] {
		case '\\':
			p = p[1:]
			if len(p) == 0 {
				return likeFalse, errLikeEscape
			}
			if !same(p[0], s[0]) {
				return likeFalse, nil
			}
		case '%':
			p = p[1:]
			for len(p) > 0 && (p[0] == '%' || p[0] == '_') {
				if p[0] == '_' {
					if len(s) == 0 {
						return likeAbort, nil
					}
					s = s[char(s):]
				}
				p = p[1:]
			}
			if len(p) == 0 {
				return likeMatch, nil
			}
			want := p[0]
			if want == '\\' {
				if len(p) < 2 {
					return likeFalse, errLikeEscape
				}
				want = p[1]
			}
			for len(s) > 0 {
				if same(s[0], want) {
					if m, err := matchLike(s, p, text, fold); err != nil || m != likeFalse {
						return m, err
					}
				}
				s = s[char(s):]
			}
			return likeAbort, nil
		case '_':
			s, p = s[char(s):], p[1:]
			continue
		default:
			if !same(p[0], s[0]) {
				return likeFalse, nil
			}
		}
		s, p = s[1:], p[1:]
	}
	if len(s) > 0 {
		return likeFalse, nil
	}
	for len(p) > 0 && p[0] == '%' {
		p = p[1:]
	}
	if len(p) == 0 {
		return likeMatch, nil
	}
	return likeAbort, nil
}

// likeEscape rewrites a pattern with another escape character to one with \.
func likeEscape(f *Frame, a, esc types.Datum) (types.Datum, error) {
	out := f.out()
	if len(esc.B) == 0 {
		for _, c := range a.B {
			if c == '\\' {
				out = append(out, '\\')
			}
			out = append(out, c)
		}
		return f.keep(out), nil
	}
	if utf8.RuneCount(esc.B) > 1 {
		return a, pgerr.Newf(pgerr.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	if esc.B[0] == '\\' {
		return a, nil
	}
	after := false
	for s := a.B; len(s) > 0; {
		_, w := utf8.DecodeRune(s)
		ch := s[:w]
		s = s[w:]
		switch {
		case bytes.Equal(ch, esc.B) && !after:
			out, after = append(out, '\\'), true
			continue
		case ch[0] == '\\' && !after:
			out = append(out, '\\', '\\')
		default:
			out = append(out, ch...)
		}
		after = false
	}
	return f.keep(out), nil
}
