package op

import "context"

// A Union adds up its inputs: d(A+B) = dA + dB. State: none.
type Union struct{}

// Eval adds up the changes.
func (Union) Eval(in []*Delta, out *Delta) error {
	for _, d := range in {
		out.Rows.AppendBatch(&d.Rows, 1)
		out.Errs.AppendBatch(&d.Errs, 1)
	}
	return nil
}

// Scan is one input's scan after the other.
func (Union) Scan(ctx context.Context, in []ScanFunc, emit, emitErr Emit) error {
	for _, scan := range in {
		if err := scan(ctx, emit, emitErr); err != nil {
			return err
		}
	}
	return nil
}
