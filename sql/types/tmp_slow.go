package types

func (f *Format) parseDateSlow(text []byte) (int32, error) { return 0, errSyntax("date", text) }
func (f *Format) parseTimestampSlow(text []byte, t OID, precision int32) (int64, error) {
	return 0, errSyntax(t.String(), text)
}
func (f *Format) parseTimeSlow(text []byte, t OID) (TimeTZValue, error) {
	return TimeTZValue{}, errSyntax(t.String(), text)
}
func parseInterval(text []byte, mod int32) (IntervalValue, error) {
	return IntervalValue{}, errSyntax("interval", text)
}
func (v IntervalValue) applyMod(mod int32) (IntervalValue, error) { return v, nil }
func timestampInRange(v int64) bool                               { return v >= minTimestamp && v < endTimestamp }
