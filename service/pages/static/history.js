// Sends the file with progress, after asking whether its beginning is that of an export. Without this script the form does it all.
"use strict";
{
  const form = document.getElementById("upload");
  const input = document.getElementById("file");
  const drop = document.getElementById("drop");
  const problem = document.getElementById("problem");
  const sending = document.getElementById("sending");
  const bar = document.getElementById("progress");
  const text = document.getElementById("progress-text");
  const token = form.elements.form_token.value;
  const START_BYTES = 65536;
  let sent = null;

  const place = (path, file) => {
    const query = new URLSearchParams({ name: file.name, listener: form.elements.listener ? form.elements.listener.value : "" });
    return `${path}?${query}`;
  };

  const say = (reason) => {
    problem.textContent = reason;
    problem.hidden = !reason;
    sending.hidden = true;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    sent = null;
  };

  const reasonOf = (status, body) => {
    try {
      return JSON.parse(body).error;
    } catch {
      return `The service answered with ${status}. Try again.`;
    }
  };

  const size = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`;

  const send = (file) => {
    const request = new XMLHttpRequest();
    sent = request;
    request.open("PUT", place(form.action, file));
    request.setRequestHeader("X-Form-Token", token);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      bar.value = Math.floor((100 * event.loaded) / Math.max(event.total, 1));
      const percent = 10 * Math.floor(bar.value / 10);
      text.textContent = event.loaded < event.total ? `${percent} % of ${size(event.total)}` : "All sent. Looking at what is in it …";
    });
    request.addEventListener("load", () => {
      if (request.status === 201) location.assign(JSON.parse(request.responseText).location);
      else say(reasonOf(request.status, request.responseText));
    });
    request.addEventListener("error", () => say("The connection broke off. Nothing of the file is kept: send it again."));
    request.addEventListener("abort", () => say("Cancelled. Nothing of the file is kept."));
    request.send(file);
  };

  const bring = async (file) => {
    say("");
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    bar.value = 0;
    text.textContent = "Looking at the beginning of the file …";
    sending.hidden = false;
    try {
      const headers = { "X-Form-Token": token, Accept: "application/json" };
      const answer = await fetch(place(form.dataset.check, file), { method: "POST", headers, body: file.slice(0, START_BYTES) });
      if (!answer.ok) {
        say(reasonOf(answer.status, await answer.text()));
        return;
      }
    } catch {
      say("The file could not be read, or the service does not answer. Try again.");
      return;
    }
    send(file);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.files.length === 1) bring(input.files[0]);
  });
  document.getElementById("cancel").addEventListener("click", () => {
    if (sent) sent.abort();
  });
  document.getElementById("drop-hint").hidden = false;
  for (const name of ["dragover", "dragenter"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length !== 1) {
      say("Bring one file at a time.");
      return;
    }
    input.files = event.dataTransfer.files;
    bring(input.files[0]);
  });
}
