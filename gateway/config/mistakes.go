package config

// Mistakes is the error of a configuration that can't be used.
type Mistakes struct {
	// Snippets shows each mistake where it stands, for people.
	Snippets string
}

// Error makes *Mistakes an error.
func (m *Mistakes) Error() string { return "the configuration has mistakes" }
