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
	RequestedBy   string   `json:"requestedBy,omitempty"`
	ChangeRef     string   `json:"changeReference,omitempty"`
	Again         string   `json:"again,omitempty"`
}

type Receipt struct {
	Location string `json:"location"`
}

func workflowIDFor(request Request) (string, error) {
	id := "live-migration-prep/" + request.OrgID
	if request.SourceOrgID == nil {
		return id, nil
	}
	if *request.SourceOrgID == "" {
		return "", errors.New("sourceOrgId is empty: leave it out or write null")
	}
	return id + "/" + *request.SourceOrgID, nil
}

// docs/callers.md refers to this function.
func startOrJoin(ctx context.Context, c client.Client, request Request) (receipt Receipt, err error) {
	workflowID, err := workflowIDFor(request)
	if err != nil {
		return receipt, err
	}
	reusePolicy := enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	if request.Again != "" {
		// A repeated call finds its own run here, before Temporal lists that as closed.
		newest, err := c.DescribeWorkflow(ctx, workflowID, "")
		if err == nil && newest.WorkflowExecution.RunID == request.Again {
			reusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
		}
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
	}
	runID := findDeliveredRun(err)
	if runID == "" {
		return receipt, err
	}
	// That run delivered its token, perhaps for a different request.
	earlier, err := readRequest(ctx, c, workflowID, runID)
	if err != nil {
		return receipt, err
	}
	if earlier.Sink != request.Sink || !slices.Equal(asSet(earlier.AccessListIPs), asSet(request.AccessListIPs)) {
		message := fmt.Sprintf("run %s delivered a token for another request (sink %s, access list %v): its receipt has the place",
			runID, earlier.Sink, earlier.AccessListIPs)
		return receipt, temporal.NewNonRetryableApplicationError(message, "DifferentRequest", nil)
	}
	err = c.GetWorkflow(ctx, workflowID, runID).Get(ctx, &receipt)
	return receipt, err
}

// findDeliveredRun finds the run whose delivered token forbids another one; "" after any other error.
func findDeliveredRun(err error) string {
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		return started.RunId
	}
	var failure *temporal.ApplicationError
	if !errors.As(err, &failure) || failure.Type() != "TokenExists" {
		return ""
	}
	var details struct {
		RunID string `json:"runId"`
	}
	if failure.Details(&details) != nil {
		return ""
	}
	return details.RunID
}

// earlierRequest has what makes two requests equal. Other fields may have other types than ours: the `again` of a run
// may be true.
type earlierRequest struct {
	AccessListIPs []string `json:"accessListIps"`
	Sink          string   `json:"sink"`
}

// readRequest reads the request of a run, as its caller sent it, from the first event of its history.
func readRequest(ctx context.Context, c client.Client, workflowID, runID string) (request earlierRequest, err error) {
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
