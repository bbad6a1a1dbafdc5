// Who is there: by the session that the browser has, by the link of `runward serve`, or by a key that is typed.

import { ask, whoAmI } from "./api.js";
import { byId, setText } from "./dom.js";
import { tell } from "./page.js";

const AGAIN_MS = 2000;

/** Who the server takes us for, once we are somebody: {name, role}. */
export async function loggedIn() {
  const problem = await redeemLink();
  const who = await present();
  return who.role === null ? login(problem) : who;
}

/** The session is over: begin anew, and keep nothing of it on the page. */
export const leave = () => location.reload();

/** Have the button end the session. Where the server asks nobody for a key, there is none. */
export function offerLeave(button, who) {
  button.hidden = who.name === "(anyone)";
  button.addEventListener("click", async () => {
    await ask("DELETE", "/v1/session").catch(() => {});
    leave();
  });
}

/** Trade the one-time token, where the address has one; what is wrong with it, else "". */
async function redeemLink() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return "";
  history.replaceState(null, "", location.pathname); // nobody is to find it in the history
  return trade({ token });
}

async function present() {
  for (;;) {
    try {
      return await whoAmI();
    } catch (error) {
      tell(error.message);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

function login(problem) {
  byId("login").hidden = false;
  setText(byId("login-problem"), problem);
  byId("key").focus();
  return new Promise((resolve) => {
    byId("login-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = await trade({ key: byId("key").value });
      setText(byId("login-problem"), wrong);
      if (wrong) return;
      byId("key").value = "";
      byId("login").hidden = true;
      resolve(await present());
    });
  });
}

async function trade(secret) {
  try {
    await ask("POST", "/v1/session", secret);
    return "";
  } catch (error) {
    return error.message;
  }
}
