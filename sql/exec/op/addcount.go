package op

import "github.com/helios-sql/helios-sql/sql/types"

// AddCount adds w to the count of a row in a relation without a key: the
// entry form of its arrangement, for those who load or edit it directly.
func AddCount(a Arrangement, row types.Row, w int64) error {
	return bump(a, row, w)
}
