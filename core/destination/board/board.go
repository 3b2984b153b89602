// Package board keeps one message per incident in a chat: it is posted once,
// brought up to date with each change, and every change is noted beside it.
//
// How that is done is the chat's business; where the message is, is what its
// sender remembers.
package board

import (
	"context"
	"errors"

	"bellcrank.example/core"
)

// ErrGone is wrapped by the error of an answer that says there is no such
// message any more: somebody has deleted it.
var ErrGone = errors.New("the message is gone")

// Style says what a change does, for embedding in the settings of a type.
type Style struct {
	Changes string `json:"changes" default:"both" enum:"both,update,note" doc:"What a change does: it updates the incident's message, is noted beside it, or both."`
}

// Chat is where messages are. Its answers tell how one call ended.
type Chat interface {
	// Post writes the incident's message. The answer remembers where.
	Post(ctx context.Context, m core.Message) core.Answer
	// Update brings it up to date. m.Memory tells where it is.
	Update(ctx context.Context, m core.Message) core.Answer
	// Note tells of the change beside it.
	Note(ctx context.Context, m core.Message) core.Answer
}

// Send makes one attempt at a change. After a failure all of it is done again:
// an update twice is harmless, and a note comes last. A message that is gone is
// posted anew.
func (s Style) Send(ctx context.Context, chat Chat, m core.Message) core.Answer {
	if m.Memory == "" {
		return chat.Post(ctx, m)
	}
	var answer core.Answer
	for _, step := range s.steps(chat) {
		answer = step(ctx, m)
		if errors.Is(answer.Err, ErrGone) {
			return chat.Post(ctx, m)
		}
		if class, _ := answer.Classify(m.Now); class != core.NoFault {
			return answer
		}
	}
	return answer
}

func (s Style) steps(chat Chat) []func(context.Context, core.Message) core.Answer {
	switch s.Changes {
	case "update":
		return []func(context.Context, core.Message) core.Answer{chat.Update}
	case "note":
		return []func(context.Context, core.Message) core.Answer{chat.Note}
	}
	return []func(context.Context, core.Message) core.Answer{chat.Update, chat.Note}
}
