package types

import (
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Names gives the OIDs of catalog objects their text, for the types regproc,
// regclass, regtype and regnamespace.
type Names interface {
	// RegText is the text of an OID, "" if it means nothing. It is not called with 0.
	RegText(t OID, id uint32) string
	// RegOID finds what a text names, which is neither - nor a number.
	RegOID(t OID, text string) (uint32, error)
}

func (f *Format) appendRegText(dst []byte, t OID, id uint32) []byte {
	if id == 0 {
		return append(dst, '-')
	}
	if f.Names != nil {
		if s := f.Names.RegText(t, id); s != "" {
			return append(dst, s...)
		}
	}
	return strconv.AppendUint(dst, uint64(id), 10)
}

func (f *Format) parseReg(t OID, text []byte) (uint32, error) {
	digits := len(text) > 0
	for _, c := range text {
		digits = digits && c-'0' <= 9
	}
	switch {
	case digits:
		return parseOID(text)
	case string(text) == "-":
		return 0, nil
	case f.Names == nil:
		return 0, pgerr.Unsupported(0, "a name as %s here", t)
	}
	return f.Names.RegOID(t, string(text))
}
