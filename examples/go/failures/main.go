// Branches on each failure type and each way a start is refused, and exits with the code that
// `live-migration-prep start` has for it: go run ./failures request.json [--again]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/temporal"
)

type Request struct {
	OrgID         string   `json:"orgId"`
	SourceOrgID   *string  `json:"sourceOrgId,omitempty"`
	AccessListIPs []string `json:"accessListIps"`
	Sink          string   `json:"sink"`
	Again         bool     `json:"again,omitempty"`
}

type Receipt struct {
	Location string `json:"location"`
}

type Details struct {
	Fields []struct {
		Field       string `json:"field"`
		Description string `json:"description"`
	} `json:"fields"`
	UnconfirmedTokens int `json:"unconfirmedTokens"`
}

type Reaction struct {
	outcome  string
	exitCode int
	next     string
}

// Meaning of each type for the caller.
var reactions = map[string]Reaction{
	// The run has failed.
	"InvalidRequest":       {"failed", 1, "correct the request, then start again"},
	"TokenExists":          {"refused", 6, "--again creates another"},
	"TemporalUnavailable":  {"failed", 1, "start again later"},
	"AtlasRequestRejected": {"failed", 1, "let the operator fix the credential"},
	"AtlasResponseInvalid": {"failed", 1, "look for a stray key in Atlas"},
	"AtlasUnavailable":     {"failed", 1, "start again later"},
	"TokenLost":            {"failed", 1, "delete its API key in Atlas, then start again"},
	"Cancelled":            {"cancelled", 7, "if a token is left, delete its key"},
	// The run stays open and makes further rounds by itself.
	"SinkRejected":          {"undelivered", 5, "let the operator fix the sink"},
	"SinkUnavailable":       {"undelivered", 5, "call again: it joins the run"},
	"SealedTokenUnreadable": {"undelivered", 5, "let the operator restore the key"},
	// The Update was refused; the open run goes on as if nothing had been sent.
	"DifferentRequest": {"refused", 6, "wait for the open run to end, or cancel it"},
}

func workflowIDFor(request Request) string {
	id := "live-migration-prep/" + request.OrgID
	if request.SourceOrgID == nil {
		return id
	}
	if *request.SourceOrgID == "" {
		log.Fatal("sourceOrgId is empty: leave it out or write null")
	}
	return id + "/" + *request.SourceOrgID
}

func start(ctx context.Context, c client.Client, request Request) (receipt Receipt, err error) {
	reuse := enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	if request.Again {
		reuse = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	operation := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID:                       workflowIDFor(request),
		TaskQueue:                "live-migration-prep",
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    reuse,
	}, "prepareLiveMigration", request)
	update, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: operation,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName:   "awaitDelivery",
			Args:         []any{request},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = update.Get(ctx, &receipt)
	}
	return receipt, err
}

func explain(ctx context.Context, c client.Client, request Request, err error) int {
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		fmt.Println("refused (delivered): the newest run delivered a token; --again creates another")
		return 6
	}
	var failure *temporal.ApplicationError
	if !errors.As(err, &failure) {
		log.Fatal(err)
	}
	reaction, known := reactions[failure.Type()]
	if !known {
		// The run was terminated, or a later version has a type that this program does not know.
		run, err := c.DescribeWorkflowExecution(ctx, workflowIDFor(request), "")
		check(err)
		fmt.Printf("%s: %s\n", strings.ToLower(run.WorkflowExecutionInfo.Status.String()), failure.Message())
		return 1
	}
	fmt.Printf("%s (%s): %s; %s\n", reaction.outcome, failure.Type(), failure.Message(), reaction.next)
	var details Details
	if failure.HasDetails() {
		check(failure.Details(&details))
	}
	for _, problem := range details.Fields {
		fmt.Println(" ", problem.Field, problem.Description)
	}
	if details.UnconfirmedTokens > 0 {
		fmt.Printf("  %d token(s) may exist in Atlas\n", details.UnconfirmedTokens)
	}
	return reaction.exitCode
}

func main() {
	ctx := context.Background()
	var request Request
	if len(os.Args) < 2 {
		log.Fatal("usage: go run ./failures request.json [--again]")
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &request))
	request.Again = slices.Contains(os.Args, "--again")
	c, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	check(err)
	defer c.Close()

	receipt, err := start(ctx, c, request)
	if err != nil {
		os.Exit(explain(ctx, c, request, err))
	}
	fmt.Println("delivered:", receipt.Location)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
