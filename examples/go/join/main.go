// Starts a run, or joins the open one of an equal request, and learns of a failed delivery at once:
// go run ./join request.json [--again <run id>]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

type Request struct {
	OrgID         string   `json:"orgId"`
	SourceOrgID   *string  `json:"sourceOrgId,omitempty"`
	AccessListIPs []string `json:"accessListIps"`
	Sink          string   `json:"sink"`
	Again         string   `json:"again,omitempty"`
}

type Receipt struct {
	Location string `json:"location"`
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

// docs/callers.md refers to this function.
func startOrJoin(ctx context.Context, c client.Client, request Request) (receipt Receipt, err error) {
	workflowID := workflowIDFor(request)
	reusePolicy := enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	if request.Again != "" {
		reusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	start := c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID:                       workflowID,
		TaskQueue:                "live-migration-prep",
		StaticSummary:            "create a link-token of " + request.OrgID,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    reusePolicy,
	}, "prepareLiveMigration", request)
	update, err := c.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName:   "awaitDelivery",
			Args:         []any{request},
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = update.Get(ctx, &receipt)
		return receipt, err
	}
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &started) {
		return receipt, err
	}
	// The newest run of this id delivered its token, perhaps for a different request.
	earlier, err := readRequest(ctx, c, workflowID, started.RunId)
	if err != nil {
		return receipt, err
	}
	if earlier.Sink != request.Sink || !slices.Equal(asSet(earlier.AccessListIPs), asSet(request.AccessListIPs)) {
		message := fmt.Sprintf("run %s delivered a token to sink %s for %v", started.RunId, earlier.Sink, earlier.AccessListIPs)
		return receipt, temporal.NewNonRetryableApplicationError(message, "DifferentRequest", nil)
	}
	err = c.GetWorkflow(ctx, workflowID, started.RunId).Get(ctx, &receipt)
	return receipt, err
}

// readRequest reads the request of a run, as its caller sent it, from the first event of its history.
func readRequest(ctx context.Context, c client.Client, workflowID, runID string) (request Request, err error) {
	history := c.GetWorkflowHistory(ctx, workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	event, err := history.Next()
	if err != nil {
		return request, err
	}
	input := event.GetWorkflowExecutionStartedEventAttributes().GetInput()
	err = converter.GetDefaultDataConverter().FromPayloads(input, &request)
	return request, err
}

func asSet(entries []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(entries)))
}

func main() {
	var request Request
	if len(os.Args) < 2 {
		log.Fatal("usage: go run ./join request.json [--again <run id>]")
	}
	text, err := os.ReadFile(os.Args[1])
	check(err)
	check(json.Unmarshal(text, &request))
	if len(os.Args) == 4 && os.Args[2] == "--again" {
		request.Again = os.Args[3]
	}
	c, err := client.Dial(envconfig.MustLoadDefaultClientOptions())
	check(err)
	defer c.Close()

	receipt, err := startOrJoin(context.Background(), c, request)
	var failure *temporal.ApplicationError
	if !errors.As(err, &failure) {
		check(err)
		fmt.Println("delivered:", receipt.Location)
		return
	}
	outcome, exitCode := judge(failure.Type())
	fmt.Printf("%s (%s): %s\n", outcome, failure.Type(), failure.Message())
	os.Exit(exitCode)
}

// judge names the outcome, with the exit code that live-migration-prep start has for it.
func judge(failureType string) (outcome string, exitCode int) {
	switch failureType {
	case "SinkRejected", "SinkUnavailable", "SealedTokenUnreadable":
		return "undelivered", 5 // The run goes on.
	case "DifferentRequest", "TokenExists":
		return "refused", 6
	case "Cancelled":
		return "cancelled", 7
	default:
		return "failed", 1
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
