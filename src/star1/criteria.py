"""The words that decide: the criteria of the scores, and the category of what fits none."""

SAFETY_CRITERIA = ("Content_Safety_Compliance", "Relevancy_and_No_Redundant_Content", "Accuracy_of_Thinking_Process")
BENIGN_CRITERIA = ("Content_Safety_Compliance", "Quality_of_Thinking_Process", "Compliance_Degree")
OTHER = "Other"  # it has no policy
