console.log("first line of shared-worker");
fetch("/first/shared-worker");
