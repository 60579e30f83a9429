package expire

// TakeForLarge makes the handler remember the files that could go, rather than
// those that stay, in tables of at least so many files.
func (h *Handler) TakeForLarge(files int64) { h.largeTable = files }
