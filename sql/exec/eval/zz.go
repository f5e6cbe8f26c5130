package eval

import "time"

var regexpFuncs, dateFieldFuncs, formatFuncs, jsonFuncs map[string]impl

// findZone finds a zone of the time zone database; nil if there is none.
func findZone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return z
}
