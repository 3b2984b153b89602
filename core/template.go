package core

// Template makes a text of a message, as an operator has written it. It may be
// called from anywhere, is bounded in time and size, and fails rather than
// panics: whoever calls it has a text of its own for that case.
type Template func(Message) (string, error)
