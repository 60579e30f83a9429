package polaris

// Limiters holds one limiter per server.
type Limiters struct{}

// NewLimiters makes an empty set. A process needs one.
func NewLimiters() *Limiters { return &Limiters{} }
