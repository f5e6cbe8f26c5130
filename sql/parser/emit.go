package parser

import (
	"strconv"
	"strings"
)

// A piece is a bit of the text for TiDB and the byte of the user's text it answers for.
// Pieces are a linked list, so that wrapping what is already emitted costs O(1).
type piece struct {
	text string
	pos  int32
	next int32
}

// A frag is a run of pieces; the zero frag is empty.
type frag struct{ head, tail int32 }

func (p *reader) t(text string, pos int32) frag {
	p.pieces = append(p.pieces, piece{text, pos, 0})
	i := int32(len(p.pieces) - 1)
	return frag{i, i}
}

func (p *reader) cat(fs ...frag) frag {
	var r frag
	for _, f := range fs {
		switch {
		case f.head == 0:
		case r.head == 0:
			r = f
		default:
			p.pieces[r.tail].next = f.head
			r.tail = f.tail
		}
	}
	return r
}

// paren wraps f; the opening parenthesis answers for pos.
func (p *reader) paren(f frag, pos int32) frag { return p.cat(p.t("(", pos), f, p.t(")", pos)) }

// mark begins every reserved name. PostgreSQL text cannot hold a NUL byte, so
// no identifier of the user can be taken for one.
const mark = "\x00"

// carry registers node, of which everything is known but the parts that TiDB's
// grammar is to build, and gives the reserved name that stands for it.
func (p *reader) carry(node any) string {
	p.notes = append(p.notes, node)
	return "`" + mark + strconv.Itoa(len(p.notes)-1) + "`"
}

// call emits a call of node's reserved name: TiDB reads it as a plain function
// call whose arguments are the parts of node, in the decoder's order.
func (p *reader) call(node any, pos int32, parts ...frag) frag {
	return p.cat(p.t(p.carry(node)+"(", pos), p.list(pos, parts), p.t(")", pos))
}

func (p *reader) list(pos int32, fs []frag) frag {
	var r frag
	for i, f := range fs {
		if i > 0 {
			r = p.cat(r, p.t(",", pos))
		}
		r = p.cat(r, f)
	}
	return r
}

func (p *reader) str(v string, pos int32) frag {
	return p.t("'"+strings.ReplaceAll(v, "'", "''")+"'", pos)
}

func (p *reader) ident(v string, pos int32) frag { return p.t(backquote(v), pos) }

func backquote(v string) string { return "`" + strings.ReplaceAll(v, "`", "``") + "`" }

// A sourceMap leads from an offset in our text to a byte of the user's.
type sourceMap struct{ starts, origins []int32 }

// flatten gives f as text for TiDB.
func (p *reader) flatten(f frag) (string, sourceMap) {
	size, count := 0, 0
	for i := f.head; i != 0; i = p.pieces[i].next {
		size += len(p.pieces[i].text) + 1
		count++
	}
	var sb strings.Builder
	sb.Grow(size)
	m := sourceMap{make([]int32, 0, count), make([]int32, 0, count)}
	for i := f.head; i != 0; i = p.pieces[i].next {
		m.starts = append(m.starts, int32(sb.Len()))
		m.origins = append(m.origins, p.pieces[i].pos)
		sb.WriteString(p.pieces[i].text)
		sb.WriteByte(' ')
	}
	return sb.String(), m
}
