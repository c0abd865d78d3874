package providers

// Flag gives err a sentinel for errors.Is and leaves its text as it is.
func Flag(err, sentinel error) error { return &flagged{err, sentinel} }

type flagged struct{ err, sentinel error }

func (f *flagged) Error() string   { return f.err.Error() }
func (f *flagged) Unwrap() []error { return []error{f.err, f.sentinel} }
