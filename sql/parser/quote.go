package parser

import "strings"

// QuoteIdent gives s as PostgreSQL's quote_ident does: in double quotes unless
// it reads back unchanged without them.
func QuoteIdent(s string) string {
	plain := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for i := 0; plain && i < len(s); i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || c == '_' || c >= '0' && c <= '9'
	}
	if plain {
		if k, ok := keywords[s]; !ok || k.cat == kwU {
			return s
		}
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
