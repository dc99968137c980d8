"""Branches on each failure type and each way a start is refused, and exits with the code that
`live-migration-prep start` has for it: python failures.py request.json [--again]
"""

import asyncio
import json
import os
import sys

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

# Meaning of each type for the caller: outcome, exit code, next step.
REACTIONS = {
    # The run has failed.
    "InvalidRequest": ("failed", 1, "correct the request, then start again"),
    "TokenExists": ("refused", 6, "--again creates another"),
    "TemporalUnavailable": ("failed", 1, "start again later"),
    "AtlasRequestRejected": ("failed", 1, "let the operator fix the credential"),
    "AtlasResponseInvalid": ("failed", 1, "look for a stray key in Atlas"),
    "AtlasUnavailable": ("failed", 1, "start again later"),
    "TokenLost": ("failed", 1, "delete its API key in Atlas, then start again"),
    "Cancelled": ("cancelled", 7, "if a token is left, delete its key"),
    # The run stays open and makes further rounds by itself.
    "SinkRejected": ("undelivered", 5, "let the operator fix the sink"),
    "SinkUnavailable": ("undelivered", 5, "call again: it joins the run"),
    "SealedTokenUnreadable": ("undelivered", 5, "let the operator restore the key"),
    # The Update was refused; the open run goes on as if nothing had been sent.
    "DifferentRequest": ("refused", 6, "wait for the open run to end, or cancel it"),
}


def workflow_id_for(request: dict) -> str:
    source = request.get("sourceOrgId")
    if source == "":
        raise ValueError("sourceOrgId is empty: leave it out or write null")
    return "/".join(["live-migration-prep", request["orgId"], *filter(None, [source])])


async def start(client: Client, workflow_id: str, request: dict) -> dict:
    reuse = WorkflowIDReusePolicy
    operation = WithStartWorkflowOperation(
        "prepareLiveMigration",
        request,
        id=workflow_id,
        task_queue="live-migration-prep",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=reuse.ALLOW_DUPLICATE if "again" in request else reuse.ALLOW_DUPLICATE_FAILED_ONLY,
    )
    # Takes the error of a failed start, which asyncio would log as never retrieved.
    asyncio.gather(operation.workflow_handle(), return_exceptions=True)
    return await client.execute_update_with_start_workflow(
        "awaitDelivery", request, start_workflow_operation=operation
    )


async def explain(client: Client, workflow_id: str, failure: ApplicationError) -> int:
    if failure.type not in REACTIONS:
        # The run was terminated, or a later version has a type that this program does not know.
        run = await client.get_workflow_handle(workflow_id).describe()
        print(f"{run.status.name.lower() if run.status else 'unknown'}: {failure.message}")
        return 1
    outcome, exit_code, next_step = REACTIONS[failure.type]
    print(f"{outcome} ({failure.type}): {failure.message}; {next_step}")
    details = failure.details[0] if failure.details else {}
    for problem in details.get("fields", []):
        print(f"  {problem['field']} {problem['description']}")
    if details.get("unconfirmedTokens"):
        print(f"  {details['unconfirmedTokens']} token(s) may exist in Atlas")
    return exit_code


async def main(request: dict) -> int:
    workflow_id = workflow_id_for(request)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    try:
        receipt = await start(client, workflow_id, request)
    except WorkflowAlreadyStartedError:
        print("refused (delivered): the newest run delivered a token; --again creates another")
        return 6
    except WorkflowUpdateFailedError as error:
        if not isinstance(error.cause, ApplicationError):
            raise
        return await explain(client, workflow_id, error.cause)
    print(f"delivered: {receipt['location']}")
    return 0


if len(sys.argv) < 2:
    sys.exit("usage: python failures.py request.json [--again]")
with open(sys.argv[1]) as file:
    request = json.load(file)
if "--again" in sys.argv[2:]:
    request["again"] = True
exit_code = asyncio.run(main(request))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(exit_code)
