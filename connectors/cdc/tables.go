package cdc

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// ParseTable reads a table as SQL would name it: users, public.users,
// "Odd".name, with the columns to capture in parentheses if not all of them:
// public.users (id, name), and a row filter: public.users WHERE (id > 7). Names without quotes are folded to lower case. The
// schema is public if there is none.
func ParseTable(s string) (TableSpec, error) {
	p := nameParser{text: s, rest: s}
	t := TableSpec{Schema: "public", Name: p.name()}
	if p.take('.') {
		t.Schema, t.Name = t.Name, p.name()
	}
	if p.take('(') {
		t.Columns = append(t.Columns, p.name())
		for p.take(',') {
			t.Columns = append(t.Columns, p.name())
		}
		if !p.take(')') {
			p.bad = true
		}
	}
	if p.keyword("where") {
		p.space()
		t.Where = strings.TrimRight(p.rest, " \t\n\r")
		if p.rest = ""; !strings.HasPrefix(t.Where, "(") || !strings.HasSuffix(t.Where, ")") {
			p.bad = true
		}
	}
	if p.space(); p.bad || p.rest != "" {
		return TableSpec{}, pgerr.Newf(pgerr.InvalidName, "invalid name of a table to capture: %q", s).
			WithHint(`A table is named as in SQL: users, public.users, "Odd"."Name", public.users (id, name), public.users WHERE (id > 7).`)
	}
	return t, nil
}

type nameParser struct {
	text, rest string
	bad        bool
}

func (p *nameParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n\r") }

func (p *nameParser) take(c byte) bool {
	p.space()
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

// keyword takes a word that is no name.
func (p *nameParser) keyword(word string) bool {
	p.space()
	if n := len(word); len(p.rest) > n && strings.EqualFold(p.rest[:n], word) && strings.ContainsRune(" \t\n\r(", rune(p.rest[n])) {
		p.rest = p.rest[n:]
		return true
	}
	return false
}

// name takes one identifier.
func (p *nameParser) name() string {
	if p.take('"') {
		var b strings.Builder
		for {
			at := strings.IndexByte(p.rest, '"')
			if at < 0 {
				p.bad = true
				return ""
			}
			b.WriteString(p.rest[:at])
			if p.rest = p.rest[at+1:]; !strings.HasPrefix(p.rest, `"`) {
				p.bad = p.bad || b.Len() == 0
				return b.String()
			}
			b.WriteByte('"')
			p.rest = p.rest[1:]
		}
	}
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
		if !letter && (n == 0 || c != '$' && (c < '0' || c > '9')) {
			break
		}
		n++
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	p.bad = p.bad || n == 0
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
