// Entry of the workbench: what happens while a person waits, uploads or edits. htmx itself comes with site.ts.
import { listenToChanges } from "./work/announce.ts";
import { listenToPolling } from "./work/polling.ts";
import { listenToUnsaved } from "./work/unsaved.ts";
import { listenToUploads } from "./work/upload.ts";
import { listenToWrong } from "./work/wrong.ts";

listenToChanges();
listenToPolling();
listenToUnsaved();
listenToUploads();
listenToWrong();
