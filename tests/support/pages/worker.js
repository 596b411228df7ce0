console.log("first line of worker");
fetch("/first/worker");
